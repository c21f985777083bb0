// The OpenAPI document of the routes of `app`.
import type { OpenAPIHono } from '@hono/zod-openapi';

export function openApiDocument(app: OpenAPIHono): object {
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: 'The value of BERTH_TOKEN, where it is set',
  });
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Berth',
      version: '1',
      description: "The coordinator's API. Errors are application/problem+json. Lists are {items, next}.",
    },
    security: [{ token: [] }],
  });
}
