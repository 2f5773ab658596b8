import { startIssuer } from './issuer.ts'

const { PORT, HOST, ISSUER_URL, REDIRECT_URIS, POST_LOGOUT_REDIRECT_URIS, BACKCHANNEL_LOGOUT_URI } = process.env

const list = (value: string | undefined) => value?.split(/[\s,]+/).filter(Boolean) ?? []
const redirectUris = list(REDIRECT_URIS)
const postLogoutRedirectUris = list(POST_LOGOUT_REDIRECT_URIS)

const issuer = await startIssuer({
  port: Number(PORT ?? 9000),
  ...(HOST ? { host: HOST } : {}),
  ...(ISSUER_URL ? { issuer: ISSUER_URL } : {}),
  ...(redirectUris.length > 0 ? { redirectUris } : {}),
  ...(postLogoutRedirectUris.length > 0 ? { postLogoutRedirectUris } : {}),
  ...(BACKCHANNEL_LOGOUT_URI ? { backchannelLogoutUri: BACKCHANNEL_LOGOUT_URI } : {}),
})
console.log(`Demo issuer at ${issuer.issuer}`)

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void issuer.close())
