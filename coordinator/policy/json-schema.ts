// The JSON schema of a policy and of a file of policies, and which keys it knows at a place.
import { z } from 'zod';
import { valueAt } from './path.ts';
import { policySchema } from './policy-schema.ts';

export type JsonSchema = { readonly [key: string]: unknown };

export const policyJsonSchema: JsonSchema = toJson();

/** What a policy file looks like: `policies: [...]`. */
export function policyFileJsonSchema(): JsonSchema {
  const { $schema, ...policy } = policyJsonSchema;
  return {
    $schema,
    title: 'Berth policies',
    type: 'object',
    required: ['policies'],
    properties: { policies: { type: 'array', description: 'Policies, one for each service', items: policy } },
  };
}

function toJson(): JsonSchema {
  return asSchema(JSON.parse(JSON.stringify(z.toJSONSchema(policySchema, { io: 'input' }))));
}

export function asSchema(value: unknown): JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}

export function asSchemas(value: unknown): JsonSchema[] {
  return Array.isArray(value) ? value.map(asSchema) : [];
}

/** The alternatives of a schema, or the schema itself. */
export function branchesOf(schema: JsonSchema): JsonSchema[] {
  const branches = [...asSchemas(schema['anyOf']), ...asSchemas(schema['oneOf'])];
  return branches.length === 0 ? [schema] : branches.flatMap(branchesOf);
}

/** Keys known at `path` in `value`; of alternatives told apart by a constant, only those that fit. */
export function knownKeys(path: readonly PropertyKey[], value: unknown): string[] {
  let schemas = branchesOf(policyJsonSchema).filter((branch) => fits(branch, value));
  let here = value;
  for (const key of path) {
    here = valueAt(here, [key]);
    schemas = schemas
      .flatMap((schema) => branchesOf(schemaAt(schema, key)))
      .filter((branch) => fits(branch, here));
  }
  return [...new Set(schemas.flatMap((schema) => Object.keys(asSchema(schema['properties']))))];
}

function schemaAt(schema: JsonSchema, key: PropertyKey): JsonSchema {
  return typeof key === 'number'
    ? asSchema(schema['items'])
    : asSchema(asSchema(schema['properties'])[String(key)]);
}

function fits(schema: JsonSchema, value: unknown): boolean {
  return Object.entries(asSchema(schema['properties'])).every(([key, property]) => {
    const constant = asSchema(property)['const'];
    const given = valueAt(value, [key]);
    return constant === undefined || given === undefined || given === constant;
  });
}
