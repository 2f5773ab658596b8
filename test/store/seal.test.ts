import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { Secret } from '../../src/core/secret.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import { createSealer, type SealKey } from '../../src/store/seal.ts'
import type { Store } from '../../src/store/store.ts'
import { createVault, type Vault } from '../../src/store/vault.ts'

const aKey = (id: string): SealKey => {
  const secret = new Secret(randomBytes(32).toString('base64'))
  return { id, key: { current: () => secret } }
}
const [k1, k2] = [aKey('k1'), aKey('k2')]
const MINUTE = 60_000
const asText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
const token = (owner: string) => ({ kind: 'looker-token', owner })

test('opens what it sealed, in its own place, and never seals twice alike', () => {
  const sealer = createSealer([k1])
  const [one, two] = [sealer.seal('a token ünï', 'here'), sealer.seal('a token ünï', 'here')]
  expect(sealer.open(one, 'here')).toBe('a token ünï')
  expect(one.equals(two)).toBe(false)
  expect(sealer.open(one, 'there')).toBeUndefined()
})

test('opens no record with any one bit flipped', () => {
  const sealer = createSealer([k1])
  const record = sealer.seal('a token', 'here')
  for (let bit = 0; bit < record.length * 8; bit++) {
    const flipped = Buffer.from(record)
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    expect(sealer.open(flipped, 'here'), `bit ${bit}`).toBeUndefined()
  }
})

test('opens no record that was cut, lengthened or made up', () => {
  const sealer = createSealer([k1])
  const record = sealer.seal('a token', 'here')
  for (let length = 0; length < record.length; length++) {
    expect(sealer.open(record.subarray(0, length), 'here'), `${length} bytes`).toBeUndefined()
  }
  expect(sealer.open(Buffer.concat([record, Buffer.of(0)]), 'here')).toBeUndefined()
  expect(sealer.open(randomBytes(100), 'here')).toBeUndefined()
  expect(sealer.open(Buffer.from([1, 255, 107]), 'here')).toBeUndefined()
})

test('opens nothing under a key of the same name with other bytes, or under another name with the same bytes', () => {
  const record = createSealer([k1]).seal('a token', 'here')
  expect(createSealer([aKey('k1')]).open(record, 'here')).toBeUndefined()
  expect(createSealer([{ id: 'kx', key: k1.key }]).open(record, 'here')).toBeUndefined()
  expect(createSealer([k2]).open(record, 'here')).toBeUndefined()
})

test.for(['', 'short', Buffer.alloc(31).toString('base64'), Buffer.alloc(33).toString('base64'), `${'!'.repeat(43)}=`])(
  'takes no key that is not 32 bytes in base64: "%s"',
  text => {
    expect(() => createSealer([{ id: 'k1', key: { current: () => new Secret(text) } }])).toThrow('32 bytes in base64')
  },
)

test('uses a key file as it is now', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-keys-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  writeFileSync(join(directory, 'key'), randomBytes(32).toString('base64'))
  let current = k1.key.current()
  const sealer = createSealer([{ id: 'k1', key: { current: () => current } }])
  const before = sealer.seal('a token', 'here')
  current = k2.key.current()
  expect(sealer.open(before, 'here')).toBeUndefined()
  expect(sealer.open(sealer.seal('another', 'here'), 'here')).toBe('another')
})

/** A vault over a store whose records are at hand. */
function openVault(keys: SealKey[], store: Store = createMemoryStore(systemClock)): { vault: Vault; store: Store } {
  return { vault: createVault({ store, sealer: createSealer(keys) }), store }
}

test('a record that was moved to another person, or to another kind, is as good as not there', async () => {
  const { vault, store } = openVault([k1])
  await vault.write(token('ana'), 'of ana', MINUTE)
  const record = await store.get(vault.nameOf(token('ana')))
  if (record === undefined) throw new Error('no record')
  for (const place of [token('vic'), { kind: 'looker-user', owner: 'ana' }]) {
    await store.put(vault.nameOf(place), record, MINUTE, Number.MAX_SAFE_INTEGER)
    expect(await vault.read(place, asText)).toBeUndefined()
  }
  expect(await vault.read(token('ana'), asText)).toBe('of ana')
})

test('two people whose kind and id run together have different names', () => {
  const { vault } = openVault([k1])
  expect(vault.nameOf({ kind: 'a', owner: 'b\nc' })).not.toBe(vault.nameOf({ kind: 'a\nb', owner: 'd\nc' }))
  expect(vault.nameOf(token('ana'))).not.toBe(openVault([k2]).vault.nameOf(token('ana')))
})

test('keys are rotated without losing a record', async () => {
  const old = openVault([k1])
  await old.vault.write(token('ana'), 'written before', MINUTE)
  const both = openVault([k2, k1], old.store)
  expect(await both.vault.read(token('ana'), asText)).toBe('written before')
  await both.vault.write(token('ana'), 'written after', MINUTE)
  expect(await both.vault.read(token('ana'), asText)).toBe('written after')
  const only = openVault([k2], old.store)
  expect(await only.vault.read(token('ana'), asText)).toBe('written after')
  // Replicas that still seal with the old key, and know the new one, read it too.
  const behind = openVault([k1, k2], createMemoryStore(systemClock))
  await openVault([k2, k1], behind.store).vault.write(token('vic'), 'by the new', MINUTE)
  expect(await behind.vault.read(token('vic'), asText)).toBe('by the new')
})

test('what is removed while keys are rotated is gone under both', async () => {
  const { store, vault } = openVault([k1])
  await vault.write(token('ana'), 'old', MINUTE)
  const both = openVault([k2, k1], store)
  await both.vault.write(token('ana'), 'new', MINUTE)
  expect(await both.vault.remove(token('ana'), asText)).toEqual(['new', 'old'])
  expect(await both.vault.read(token('ana'), asText)).toBeUndefined()
  expect(await vault.read(token('ana'), asText)).toBeUndefined()
})

test('what is replaced, touched or taken while keys are rotated is the one record there is, under its old name', async () => {
  const { store, vault } = openVault([k1])
  const both = openVault([k2, k1], store)
  const behind = openVault([k1, k2], store)
  await vault.write(token('ana'), 'old', MINUTE)
  expect(await both.vault.replace(token('ana'), 'new', MINUTE)).toBe(true)
  expect(await behind.vault.read(token('ana'), asText)).toBe('new')
  expect(await both.vault.touch(token('ana'), MINUTE)).toBe(true)
  expect(await both.vault.take(token('ana'), asText)).toBe('new')
  for (const { vault } of [both, behind]) {
    expect(await vault.take(token('ana'), asText)).toBeUndefined()
    expect(await vault.touch(token('ana'), MINUTE)).toBe(false)
    expect(await vault.replace(token('ana'), 'back again', MINUTE)).toBe(false)
  }
})
