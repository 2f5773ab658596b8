import { startSampleApp } from './app.ts'

const { PORT, HOST } = process.env

const app = await startSampleApp({ port: Number(PORT ?? 3000), ...(HOST ? { host: HOST } : {}) })
console.log(`Sample app at ${app.url}`)

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void app.close())
