import { BlockList, isIP, isIPv6 } from 'node:net'

export interface ClientAddress {
  /** The address a request came from: the peer, or, where the peer is a trusted proxy, the one it speaks for. */
  of(peer: string | undefined, forwardedFor: string | string[] | undefined): string
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
  const isTrusted = (address: string): boolean =>
    isIP(address) !== 0 && trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')

  const of: ClientAddress['of'] = (peer, forwardedFor) => {
    const direct = plain(peer ?? '')
    if (trustedProxies.length === 0 || forwardedFor === undefined || !isTrusted(direct)) return direct
    // From the right: what stands left of the last untrusted hop was written by whoever that is.
    const hops = String(forwardedFor)
      .split(',')
      .map(hop => plain(hop.trim()))
    for (const hop of hops.toReversed()) {
      if (isIP(hop) === 0) return direct
      if (!isTrusted(hop)) return hop
    }
    return hops[0] ?? direct
  }
  return { of, isTrusted: peer => isTrusted(plain(peer ?? '')) }
}

/** An IPv4 address that came over an IPv6 socket is that IPv4 address. */
function plain(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}
