// How a client of the API reads the form tree, written from its description alone: what is shown for the
// values a person has entered, and where each value goes in the request.

export interface TreeNode {
  readonly name: string;
  readonly parent: string | boolean;
  readonly required: boolean;
  readonly type: string;
  readonly enum?: readonly { readonly key: string | number | boolean }[];
  readonly attributes: {
    readonly internal: boolean;
    readonly section_id: string;
    readonly form_element: string;
    readonly input_type?: string;
    readonly key_format?: string;
  };
  readonly children: readonly TreeNode[] | null;
}

export interface ShownField {
  readonly node: TreeNode;
  /** Where its value goes, below `destination`. */
  readonly path: string;
}

const onTop = 'vendor name recipient_id enabled_models frequency_minutes is_enabled'.split(' ');
const loginOfBucket: Readonly<Record<string, string>> = {
  access_id: 'aws_access_keys',
  secret_key: 'aws_access_keys',
  access_key: 'gcs_hmac_keys',
  secret: 'gcs_hmac_keys',
};

/** Values by field name, flat: that is how such clients keep a destination. */
export type Values = Readonly<Record<string, unknown>>;

/** The fields that are shown for these values, in order. */
export function shownFields(root: TreeNode, values: Values, above: string[] = []): ShownField[] {
  const place = onTop.includes(root.name) ? above : placeBelow(above, root);
  const path = [...new Set([...place, root.name])].join('.');
  const below = (root.children ?? []).filter(({ parent }) => values[root.name] === parent);
  return [{ node: root, path }, ...below.flatMap((child) => shownFields(child, values, place))];
}

function placeBelow(above: readonly string[], { name, parent }: TreeNode): string[] {
  const words: Record<string, string> = { true: 'ssh_tunnel', false: 'ssl_options' };
  const place = [...above, typeof parent === 'boolean' ? words[String(parent)]! : parent];
  const [vendor = ''] = place;
  if (name === 'bucket_name' || name === 'bucket_region') {
    if (vendor === 'bigquery') place.push('bucket_gcs');
    if (['redshift', 'redshift_serverless', 'athena'].includes(vendor)) place.push('bucket_s3');
  }
  const login = loginOfBucket[name];
  if (['clickhouse', 'databricks'].includes(vendor) && login !== undefined) place.push(login);
  return place;
}

const integers = ['port', 'ssh_tunnel_port', 'connection_timeout_in_seconds'];
const json = ['service_account_key', 'workload_identity_federation_metadata'];

/** The request's `destination`, from what was entered. */
export function destinationOf(root: TreeNode, values: Values): Record<string, unknown> {
  const destination: Record<string, unknown> = {};
  for (const { node, path } of shownFields(root, values)) {
    const names = path.split('.');
    const last = names.pop()!;
    let object = destination;
    for (const name of names) object = (object[name] ??= {}) as Record<string, unknown>;
    object[last] = sent(node.name, values[node.name]);
  }
  return destination;
}

function sent(name: string, value: unknown): unknown {
  if (integers.includes(name)) {
    const number = Number.parseInt(
      typeof value === 'string' ? value : JSON.stringify(value ?? null),
      10,
    );
    return Number.isNaN(number) ? null : number;
  }
  return json.includes(name) && typeof value === 'string' ? JSON.parse(value) : value;
}
