import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ProductRecord } from '../db/products.ts';
import {
  deleteProduct,
  getProduct,
  insertProduct,
  listProducts,
  updateProduct,
} from '../db/products.ts';
import { defaultProduct } from '../db/recipient-models.ts';
import { getRecipient } from '../db/recipients.ts';
import type { AppEnv } from './deps.ts';
import { EmptyEnvelope, pageOf, singleOf, success } from './envelope.ts';
import { Name, bareOrWrapped } from './inputs.ts';
import { instantOut } from '../domain/outputs.ts';
import { PageQuery, pageAnswer, wholeListOf } from './paging.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey, withKeyOrToken } from './routes.ts';

export const Product = z
  .object({
    product_name: z.string(),
    models: z.array(z.string()),
    id: z.uuid(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi('Product');

const Models = z.array(Name).max(1000);

const ProductInput = z.object({ product_name: Name, models: Models }).openapi('ProductInput');

export const ProductPatch = z
  .object({ models: Models.optional() })
  .openapi('ProductPatch', { description: 'The list of models is replaced whole.' });

const example = { product: { product_name: 'billing', models: ['invoices', 'payments'] } };

/** The object of the API. */
export function presentProduct(product: ProductRecord) {
  return {
    product_name: product.name,
    models: product.models,
    id: product.id,
    created_at: instantOut(product.createdAt),
    updated_at: instantOut(product.updatedAt),
  };
}

export function productAudit(c: { var: AppEnv['Variables'] }) {
  return { actor: c.var.actor, present: presentProduct };
}

/** The products of a token's recipient; with a key all there are. */
async function ownProducts(c: Context<AppEnv>): Promise<readonly string[] | undefined> {
  const { environment, recipientId: id, deps } = c.var;
  if (id === undefined) return undefined;
  const { products: names } = await getRecipient(deps.db, { environment, id });
  return names.length > 0 ? names : [defaultProduct];
}

const params = z.object({ product_name: z.string().openapi({ example: 'billing' }) });

export const products = createRouter()
  .openapi(
    createRoute({
      ...withKeyOrToken,
      method: 'get',
      path: '/products',
      tags: ['Products'],
      summary: 'List products',
      request: { query: PageQuery },
      responses: answers(pageOf('products', Product), 400, 401),
    }),
    async (c) => {
      const page = await listProducts(c.var.deps.db, {
        environment: c.var.environment,
        page: wholeListOf(c, c.req.valid('query')),
        names: await ownProducts(c),
      });
      return c.json(pageAnswer(c, { key: 'products', page, present: presentProduct }), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/products',
      tags: ['Products'],
      summary: 'Add a product',
      request: { body: body(bareOrWrapped('product', ProductInput), example) },
      responses: answers(singleOf('product', Product), 400, 401, 409),
    }),
    async (c) => {
      const { product: input } = c.req.valid('json');
      const product = await insertProduct(c.var.deps.db, {
        environment: c.var.environment,
        name: input.product_name,
        models: input.models,
        audit: productAudit(c),
      });
      return c.json(success({ product: presentProduct(product) }, 'Product created'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/products/{product_name}',
      tags: ['Products'],
      summary: 'Read a product',
      request: { params },
      responses: answers(singleOf('product', Product), 401, 404),
    }),
    async (c) => {
      const { product_name: name } = c.req.valid('param');
      const product = await getProduct(c.var.deps.db, { environment: c.var.environment, name });
      return c.json(success({ product: presentProduct(product) }, 'Product'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'patch',
      path: '/products/{product_name}',
      tags: ['Products'],
      summary: 'Change the models of a product',
      request: {
        params,
        body: body(bareOrWrapped('product', ProductPatch), { product: { models: ['invoices'] } }),
      },
      responses: answers(singleOf('product', Product), 400, 401, 404),
    }),
    async (c) => {
      const { product_name: name } = c.req.valid('param');
      const { models } = c.req.valid('json').product;
      const { environment, deps } = c.var;
      const product =
        models === undefined
          ? await getProduct(deps.db, { environment, name })
          : await updateProduct(deps.db, { environment, name, models, audit: productAudit(c) });
      return c.json(success({ product: presentProduct(product) }, 'Product updated'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'delete',
      path: '/products/{product_name}',
      tags: ['Products'],
      summary: 'Delete a product that no recipient has',
      request: { params },
      responses: answers(EmptyEnvelope, 401, 404, 409),
    }),
    async (c) => {
      const { product_name: name } = c.req.valid('param');
      await deleteProduct(c.var.deps.db, {
        environment: c.var.environment,
        name,
        audit: productAudit(c),
      });
      return c.json(success({}, 'Product deleted'), 200);
    },
  );
