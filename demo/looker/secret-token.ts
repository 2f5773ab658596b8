import { randomUUID } from 'node:crypto'

/** 122 random bits. Node draws entropy for UUIDs in bulk, which counts when ten thousand people come at once. */
export const createSecretToken = (): string => randomUUID().replaceAll('-', '')
