import { BlockList, isIP, isIPv6 } from 'node:net'

/** The same few proxies ask again and again; of those they speak for there is no end. */
const MAX_KNOWN = 1000

export interface ClientAddress {
  /** The address a request came from: the peer, or, where the peer is a trusted proxy, the one it speaks for. */
  of(peer: string | undefined, forwardedFor: string | string[] | undefined): string
  /**
   * `X-Forwarded-For` as an app is to get it: that address, and behind it the trusted proxies that it came through, as each
   * of them would have put it down. What the address itself said of where it comes from is left out.
   */
  chain(peer: string | undefined, forwardedFor: string | string[] | undefined): string
  /** Whether the peer may speak for others. */
  isTrusted(peer: string | undefined): boolean
}

export function createClientAddress(trustedProxies: readonly string[]): ClientAddress {
  const trusted = new BlockList()
  for (const entry of trustedProxies) {
    const [address = '', bits] = entry.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(bits), family)
  }
  const known = new Map<string, boolean>()
  const isTrusted = (address: string): boolean => {
    let verdict = known.get(address)
    if (verdict === undefined) {
      verdict = isIP(address) !== 0 && trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
      if (known.size >= MAX_KNOWN) known.clear()
      known.set(address, verdict)
    }
    return verdict
  }

  /** From the address to the peer; from the right, since what stands left of an untrusted hop was written by whoever that is. */
  const hopsOf = (direct: string, forwardedFor: string | string[]): string[] => {
    const hops = String(forwardedFor)
      .split(',')
      .map(hop => plain(withoutPort(hop.trim())))
    const from = hops.findLastIndex(hop => isIP(hop) === 0 || !isTrusted(hop))
    if (from === -1) return [...hops, direct]
    // Somebody wrote what is no address there: as far as that nothing is known.
    return isIP(hops[from] ?? '') === 0 ? [direct] : [...hops.slice(from), direct]
  }
  const speaksForOthers = (direct: string): boolean => trustedProxies.length > 0 && isTrusted(direct)

  const of: ClientAddress['of'] = (peer, forwardedFor) => {
    const direct = plain(peer ?? '')
    if (forwardedFor === undefined || !speaksForOthers(direct)) return direct
    return hopsOf(direct, forwardedFor)[0] ?? direct
  }
  const chain: ClientAddress['chain'] = (peer, forwardedFor) => {
    const direct = plain(peer ?? '')
    if (forwardedFor === undefined || !speaksForOthers(direct)) return direct
    return hopsOf(direct, forwardedFor).join(', ')
  }
  return { of, chain, isTrusted: peer => isTrusted(plain(peer ?? '')) }
}

/** An IPv4 address that came over an IPv6 socket is that IPv4 address. */
function plain(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

/** Azure's gateways write the port too, and RFC 7239 puts an IPv6 address in brackets. */
function withoutPort(hop: string): string {
  const [, six, four] = /^(?:\[([0-9A-Fa-f:.]+)\]|([\d.]+))(?::\d{1,5})?$/.exec(hop) ?? []
  return six ?? four ?? hop
}
