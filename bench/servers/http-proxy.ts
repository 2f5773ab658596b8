/** @fastify/http-proxy as its README sets it up; with its logs where LOGS says so. */
import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'

const server = Fastify({ logger: process.env['LOGS'] === 'yes' })
await server.register(httpProxy, { upstream: process.env['UPSTREAM'] ?? '' })
await server.listen({ port: Number(process.env['PORT']), host: '127.0.0.1' })
