/** `npm run demo`: an issuer, an emulated Looker, an app and Sallyport, on this machine, with nothing to configure. */
import { startDemo } from './parts.ts'
import { walk } from './walk.ts'

const once = process.argv.includes('--once')
const print = (line: string): void => console.log(line)
// Looker's SDK prints a line for each request it makes.
console.debug = () => {}

const parts = await startDemo()
print(`Sallyport demo: open ${parts.sallyportUrl} and sign in as Ana, Vic or Nora.`)
print('Everything runs on this machine, in memory, and is gone when it ends.')
print(`   portal            ${parts.sallyportUrl}/portal   (dashboards, embedded)`)
print(`   Sallyport         ${parts.sallyportUrl}   (admin ${parts.adminUrl})`)
print(`   issuer            ${parts.issuer.issuer}`)
print(`   emulated Looker   ${parts.looker.url}`)
print(`   sample app        ${parts.app.url}   (only Sallyport should reach it)`)

const held = await walk(parts, print)
print(held ? '\nEvery step held.' : '\nNot every step held; see ✗ above.')

if (once || !held) {
  await parts.close()
  process.exitCode = held ? 0 : 1
} else {
  const { accessToken } = await parts.issuer.signIn('ana')
  print(`
Open ${parts.sallyportUrl} in a browser, or go on here. The configuration that runs:

${parts.configuration.replaceAll(/^/gm, '   ')}
   export ANA='${accessToken}'

   curl -s ${parts.sallyportUrl}/sallyport/session -H "Authorization: Bearer $ANA"
   curl -s ${parts.sallyportUrl}/sallyport/token -d subject_token="$ANA" \\
     -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange \\
     -d subject_token_type=urn:ietf:params:oauth:token-type:access_token
   curl -s -X POST ${parts.sallyportUrl}/sallyport/looker/token -H "Authorization: Bearer $ANA"
   curl -s ${parts.sallyportUrl}/headers -H "Authorization: Bearer $ANA"
   curl -s ${parts.adminUrl}/metrics | grep ^sallyport_

Ana's sign-in is good for an hour. Stop with Ctrl-C.`)
  // A terminal sends the signal to npm and to us, and npm hands it on.
  let closed: Promise<void> | undefined
  const stop = (): void => void (closed ??= parts.close())
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}
