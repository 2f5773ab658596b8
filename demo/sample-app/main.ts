import { startSampleApp } from './app.ts'

const { PORT, HOST, LOOKER_URL, ISSUER_URL } = process.env

const app = await startSampleApp({
  port: Number(PORT ?? 3000),
  ...(HOST ? { host: HOST } : {}),
  surroundings: {
    ...(LOOKER_URL ? { lookerUrl: LOOKER_URL } : {}),
    ...(ISSUER_URL ? { issuerUrl: ISSUER_URL } : {}),
  },
})
console.log(`Sample app at ${app.url}`)

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void app.close())
