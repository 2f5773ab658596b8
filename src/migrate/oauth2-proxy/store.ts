import type { Notes } from './notes.ts'
import type { Settings } from './settings.ts'
import { secondsOf } from './upstreams.ts'

const REDIS_URL = 'OAUTH2_PROXY_REDIS_CONNECTION_URL'
const REDIS_PASSWORD = 'OAUTH2_PROXY_REDIS_PASSWORD'
const SEAL_KEY = 'SALLYPORT_SEAL_KEY'

/** The `store` section: sessions that were in the cookie itself, or in Redis, are sealed in Redis, or in memory. */
export function storeOf(settings: Settings, notes: Notes): object | undefined {
  if (settings.text('session-store-type') !== 'redis') {
    notes.lost.push(
      'session-store-type cookie: a session is never in the cookie. Without a store it is in this process, and gone with it: name a store.redis for more than one replica, or to outlive a restart',
    )
    return undefined
  }
  notes.toDo.push(
    `store.sealKeys: make a key with \`openssl rand -base64 32\` and put it into the variable ${SEAL_KEY}`,
  )
  const caFile = settings.text('redis-ca-path')
  return {
    redis: { ...where(settings, notes), ...(caFile === undefined ? {} : { caFile }) },
    sealKeys: [{ id: 'k1', key: { fromEnv: SEAL_KEY } }],
  }
}

function where(settings: Settings, notes: Notes): object {
  const [key, urls] = settings.isOn('redis-use-cluster')
    ? (['cluster', settings.list('redis-cluster-connection-urls')] as const)
    : (['sentinels', settings.list('redis-sentinel-connection-urls')] as const)
  if (!settings.isOn('redis-use-cluster') && !settings.isOn('redis-use-sentinel')) return oneServer(settings, notes)
  const nodes = urls.map(text => URL.parse(text)).filter(url => url !== null)
  const username = settings.text('redis-username')
  const master = settings.text('redis-sentinel-master-name')
  const hasPassword = settings.has('redis-password') || nodes.some(({ password }) => password !== '')
  if (hasPassword) notes.toDo.push(`redis-password: put it into the variable ${REDIS_PASSWORD}`)
  return {
    [key]: nodes.map(({ hostname, port }) => ({ host: hostname, port: port === '' ? 6379 : Number(port) })),
    ...(key === 'sentinels' && master !== undefined ? { sentinelName: master } : {}),
    ...(username === undefined ? {} : { username }),
    ...(hasPassword ? { password: { fromEnv: REDIS_PASSWORD } } : {}),
    ...(nodes.some(({ protocol }) => protocol === 'rediss:') ? { tls: true } : {}),
  }
}

/** With a password the URL is a secret; apart from each other the two cannot be given. */
function oneServer(settings: Settings, notes: Notes): object {
  const url = URL.parse(settings.text('redis-connection-url') ?? '')
  const isOpen = url !== null && url.password === '' && url.username === ''
  if (isOpen && !settings.has('redis-password') && !settings.has('redis-username')) return { url: url.href }
  notes.toDo.push(
    `store.redis.url: put redis://USER:PASSWORD@HOST:PORT (rediss:// for TLS) into the variable ${REDIS_URL}`,
  )
  return { url: { fromEnv: REDIS_URL } }
}

/** The `session` section: absent where oauth2-proxy had its own default of a week, which ours is not. */
export function sessionOf(settings: Settings, notes: Notes): object | undefined {
  const seconds = secondsOf(settings.text('cookie-expire'))
  if (seconds === undefined || seconds === 0) {
    notes.toDo.push(
      'session: people sign in again after 12 hours, or 60 minutes without a request; oauth2-proxy’s default is a week. See session',
    )
    return undefined
  }
  notes.toDo.push('session.idleMinutes: 60 unless you say; oauth2-proxy knows no idle limit')
  return { absoluteHours: seconds / 3600 }
}
