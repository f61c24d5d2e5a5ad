import type { Client } from '@temporalio/client';

/** Everything that a namespace keeps of its workflows, as text with all payloads opened. */
export async function exportHistories(client: Client): Promise<string> {
  const texts: string[] = [];
  for await (const execution of client.workflow.list()) {
    const { workflowId, runId, memo, searchAttributes } = execution;
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    texts.push(JSON.stringify({ workflowId, memo, searchAttributes, history }, openBytes));
  }
  return texts.join('\n');
}

/** `JSON.stringify` meets buffers as what their `toJSON` makes of them. */
export function openBytes(_name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (isBufferJson(value)) return Buffer.from(value.data).toString('utf8');
  return typeof value === 'bigint' ? String(value) : value;
}

function isBufferJson(value: unknown): value is { data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer';
}
