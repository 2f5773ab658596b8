import type { FastifyReply, FastifyRequest } from 'fastify'

const NAME = 'looker_embed_session'

export function setCookie(reply: FastifyReply, value: string): void {
  // In a page of another site a browser keeps no other kind.
  reply.header('set-cookie', `${NAME}=${value}; Path=/; SameSite=None; Secure; HttpOnly`)
}

export function cookieOf({ headers }: FastifyRequest): string | undefined {
  return new RegExp(`(?:^|;\\s*)${NAME}=([^;]+)`).exec(headers.cookie ?? '')?.[1]
}
