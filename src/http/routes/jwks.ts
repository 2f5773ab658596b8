import type { FastifyInstance } from 'fastify'

/** `GET /jwks.json`: the public keys of the identity assertion. For everybody: the app asks without an identity. */
export async function jwksRoute(scope: FastifyInstance, options: { publicKeys(): unknown }): Promise<void> {
  scope.get('/jwks.json', async (_request, reply) =>
    reply
      .header('content-type', 'application/jwk-set+json')
      .header('cache-control', 'public, max-age=300')
      // As bytes: to text Fastify puts a charset, which the media type does not have.
      .send(Buffer.from(JSON.stringify(options.publicKeys()))),
  )
}
