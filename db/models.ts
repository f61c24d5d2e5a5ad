import { isDeepStrictEqual } from 'node:util';
import { and, eq, inArray, isNull, sql, type SQL } from 'drizzle-orm';
import { Failure, type Violation } from '../domain/failure.ts';
import type { ModelDefinition } from '../domain/model.ts';
import { checkModel, resolveSource } from '../domain/model-rules.ts';
import type { Environment } from '../domain/statuses.ts';
import { must } from '../lib/must.ts';
import { isUuid, uuidv7 } from '../lib/uuid.ts';
import { recordAudit, type Audit } from './audit.ts';
import { onDuplicate, type Db } from './database.ts';
import { dropNames, gatherContext, recordNames, renameModel } from './model-names.ts';
import { keyset, pageOf, type Page, type PageRequest } from './paging.ts';
import { listRecipientModels } from './recipient-models.ts';
import { modelRevisions, models, products } from './schema.ts';

/** A model as its current revision has it. */
export interface ModelRecord {
  readonly id: string;
  readonly environment: Environment;
  readonly name: string;
  readonly revisionId: string;
  /** 1 for the first revision. */
  readonly number: number;
  readonly definition: ModelDefinition;
  readonly sourceId: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A write that went through, with what is doubtful about it. */
export interface ModelWrite {
  readonly model: ModelRecord;
  readonly warnings: readonly Violation[];
}

const columns = {
  id: models.id,
  environment: models.environment,
  name: models.name,
  revisionId: modelRevisions.id,
  number: modelRevisions.number,
  definition: modelRevisions.definition,
  sourceId: models.sourceId,
  createdAt: models.createdAt,
  updatedAt: models.updatedAt,
};

const isCurrent = eq(modelRevisions.id, models.currentRevisionId);

/**
 * @throws Failure `conflict` when the name is taken, be it by a deleted model; `invalid` with all
 * violations.
 */
export async function insertModel(
  db: Db,
  input: { environment: Environment; definition: ModelDefinition; audit: Audit<ModelRecord> },
): Promise<ModelWrite> {
  const { environment, definition, audit } = input;
  const id = uuidv7();
  return await onDuplicate('models_name', nameTaken(definition.model_name), () =>
    db.transaction(async (tx) => {
      const { sourceId, warnings } = await judge(tx, { environment, definition });
      const revisionId = uuidv7();
      await tx.insert(models).values({
        id,
        environment,
        name: definition.model_name,
        currentRevisionId: revisionId,
        sourceId,
      });
      await tx.insert(modelRevisions).values({
        id: revisionId,
        modelId: id,
        environment,
        number: 1,
        definition,
        sourceId,
        createdBy: audit.actor.id,
      });
      await recordNames(tx, { environment, modelId: id, definition });
      const model = await getModel(tx, { environment, idOrName: id });
      await recordAudit(tx, {
        environment,
        eventType: 'MODEL_ADD',
        resourceId: id,
        actor: audit.actor,
        object: audit.present(model),
      });
      return { model, warnings };
    }),
  );
}

/**
 * Makes the definition the current revision. One that equals the current one changes nothing.
 * @throws Failure `not_found`; `invalid` with all violations; `conflict` when the name is taken or the
 * model has another revision than `basedOn` by now.
 */
export async function updateModel(
  db: Db,
  input: {
    environment: Environment;
    idOrName: string;
    /** Merged and whole. */
    definition: ModelDefinition;
    /** The revision that was read and merged with. */
    basedOn?: string | undefined;
    audit: Audit<ModelRecord>;
  },
): Promise<ModelWrite> {
  const { environment, definition, basedOn, audit } = input;
  return await onDuplicate('models_name', nameTaken(definition.model_name), () =>
    db.transaction(async (tx) => {
      const before = await lockModel(tx, input);
      if (basedOn !== undefined && basedOn !== before.revisionId) {
        throw new Failure(
          'conflict',
          `Model ${before.name} was changed by somebody else meanwhile.`,
        );
      }
      const { sourceId, warnings } = await judge(tx, { environment, definition, before });
      if (sourceId === before.sourceId && isSame(definition, before.definition)) {
        return { model: before, warnings };
      }
      await renameModel(tx, { environment, from: before.name, to: definition.model_name });
      await addRevision(tx, { before, definition, sourceId, createdBy: audit.actor.id });
      const model = await getModel(tx, { environment, idOrName: before.id });
      await recordAudit(tx, {
        environment,
        eventType: 'MODEL_UPDATE',
        resourceId: before.id,
        actor: audit.actor,
        object: audit.present(model),
        previousObject: audit.present(before),
      });
      return { model, warnings };
    }),
  );
}

/**
 * It is not transferred any more. Its name and its table stay taken, its rows stay where they landed.
 * @throws Failure `not_found`
 */
export async function deleteModel(
  db: Db,
  input: { environment: Environment; idOrName: string; audit: Audit<ModelRecord> },
): Promise<void> {
  await db.transaction(async (tx) => {
    const before = await lockModel(tx, input);
    await tx
      .update(models)
      .set({ deletedAt: sql`now()` })
      .where(eq(models.id, before.id));
    await dropNames(tx, { modelId: before.id });
    await recordAudit(tx, {
      environment: input.environment,
      eventType: 'MODEL_DELETE',
      resourceId: before.id,
      actor: input.audit.actor,
      previousObject: input.audit.present(before),
    });
  });
}

/** By id, or by name where the text is no UUID. @throws Failure `not_found` */
export async function getModel(
  db: Db,
  input: { environment: Environment; idOrName: string },
): Promise<ModelRecord> {
  const [model] = await db
    .select(columns)
    .from(models)
    .innerJoin(modelRevisions, isCurrent)
    .where(isLive(input));
  if (!model) throw new Failure('not_found', `There is no model ${input.idOrName}.`);
  return model;
}

export async function listModels(
  db: Db,
  input: {
    environment: Environment;
    page: PageRequest;
    /** Only the models of that recipient. */
    recipientId?: string | undefined;
    names?: readonly string[] | undefined;
    productNames?: readonly string[] | undefined;
  },
): Promise<Page<ModelRecord>> {
  const { environment, recipientId, names, productNames } = input;
  const position = keyset(input.page, { at: models.createdAt, id: models.id });
  const own =
    recipientId === undefined
      ? undefined
      : await listRecipientModels(db, { environment, recipientId });
  const inProducts = productNames && inProductsNamed({ environment, productNames });
  const rows = await db
    .select({ ...columns, sortValue: position.sortValue })
    .from(models)
    .innerJoin(modelRevisions, isCurrent)
    .where(
      and(
        eq(models.environment, environment),
        isNull(models.deletedAt),
        own &&
          inArray(
            models.id,
            own.map(({ id }) => id),
          ),
        names && inArray(models.name, [...names]),
        inProducts,
        position.after,
      ),
    )
    .orderBy(...position.orderBy)
    .limit(position.limit);
  return pageOf(rows, input.page);
}

/**
 * What the rules say of a definition, as a new model or as the next revision of a stored one; stores nothing.
 * @throws Failure `conflict` where another model has the name.
 */
export async function reviewModel(
  db: Db,
  input: { environment: Environment; definition: ModelDefinition; idOrName?: string | undefined },
): Promise<{ violations: readonly Violation[]; warnings: readonly Violation[] }> {
  const { environment, definition, idOrName } = input;
  const before = idOrName === undefined ? undefined : await getModel(db, { environment, idOrName });
  await refuseSecond(db, { environment, definition, before });
  const { context, nameViolations } = await gatherContext(db, { environment, definition, before });
  const { violations, warnings } = checkModel(definition, context);
  return { violations: [...nameViolations, ...violations], warnings };
}

/**
 * All writes of models of an environment come one after the other, since each is judged against the names
 * of all others; and the source cannot be deleted while we do.
 */
async function judge(
  tx: Db,
  input: {
    environment: Environment;
    definition: ModelDefinition;
    before?: ModelRecord | undefined;
  },
): Promise<{ sourceId: string; warnings: readonly Violation[] }> {
  await lockModels(tx, input.environment);
  await refuseSecond(tx, input);
  const { context, nameViolations } = await gatherContext(tx, { ...input, lockSources: true });
  const findings = checkModel(input.definition, context);
  const violations = [...nameViolations, ...findings.violations];
  const [first] = violations;
  if (first) throw new Failure('invalid', first.message, { violations });
  const resolved = resolveSource(input.definition, context.sources);
  const source = 'source' in resolved ? resolved.source : undefined;
  return { sourceId: must(source, 'a source after the rules').id, warnings: findings.warnings };
}

/** A name that is taken is a conflict, before the rules complain about the table of the same name. */
async function refuseSecond(
  db: Db,
  input: {
    environment: Environment;
    definition: ModelDefinition;
    before?: ModelRecord | undefined;
  },
): Promise<void> {
  const { environment, before } = input;
  const name = input.definition.model_name;
  if (before?.name === name) return;
  const isOther = and(eq(models.environment, environment), eq(models.name, name));
  const [other] = await db
    .select({ id: models.id })
    .from(models)
    .where(and(isOther, isNull(models.deletedAt)));
  if (other === undefined || other.id === before?.id) return;
  const message = `There is a model named ${name} already. Change that one, or choose another name.`;
  const violations = [{ path: 'model.model_name', code: 'taken', message }];
  throw new Failure('conflict', message, { violations });
}

async function lockModels(tx: Db, environment: Environment): Promise<void> {
  const name = `waybill models ${environment}`;
  await tx.execute(/*sql*/ sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`);
}

async function lockModel(
  tx: Db,
  input: { environment: Environment; idOrName: string },
): Promise<ModelRecord> {
  await lockModels(tx, input.environment);
  await tx.select({ id: models.id }).from(models).where(isLive(input)).for('no key update');
  return await getModel(tx, input);
}

async function addRevision(
  tx: Db,
  input: { before: ModelRecord; definition: ModelDefinition; sourceId: string; createdBy: string },
): Promise<void> {
  const { before, definition, sourceId, createdBy } = input;
  const { id: modelId, environment } = before;
  const revisionId = uuidv7();
  const number = before.number + 1;
  await tx
    .insert(modelRevisions)
    .values({ id: revisionId, modelId, environment, number, definition, sourceId, createdBy });
  await tx
    .update(models)
    .set({
      name: definition.model_name,
      currentRevisionId: revisionId,
      sourceId,
      updatedAt: sql`now()`,
    })
    .where(eq(models.id, modelId));
  await recordNames(tx, { environment, modelId, definition });
}

/** An absent field and a null one mean the same. */
function isSame(a: ModelDefinition, b: ModelDefinition): boolean {
  const spelled = (definition: ModelDefinition): unknown =>
    JSON.parse(JSON.stringify(definition, (_, value: unknown) => value ?? undefined));
  return isDeepStrictEqual(spelled(a), spelled(b));
}

function inProductsNamed(input: {
  environment: Environment;
  productNames: readonly string[];
}): SQL {
  const isNamed = and(
    eq(products.environment, input.environment),
    inArray(products.name, [...input.productNames]),
    sql`${models.name} = any(${products.models})`,
  );
  return sql`exists (select from ${products} where ${isNamed})`;
}

function isLive({ environment, idOrName }: { environment: Environment; idOrName: string }) {
  const isIt = isUuid(idOrName) ? eq(models.id, idOrName) : eq(models.name, idOrName);
  return and(isIt, eq(models.environment, environment), isNull(models.deletedAt));
}

function nameTaken(name: string): Failure {
  const message = `There is or was a model named ${name}; the name of a deleted model stays taken.`;
  return new Failure('conflict', message, {
    violations: [{ path: 'model.model_name', code: 'taken', message }],
  });
}
