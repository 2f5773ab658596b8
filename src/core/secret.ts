const inspect = Symbol.for('nodejs.util.inspect.custom')

/**
 * A value that must not be seen. It prints as `[secret]` in strings, JSON, YAML and `util.inspect`;
 * the only way to the text is {@link reveal}, called at the last moment before use.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect](): string {
    return '[secret]'
  }
}

/** A secret that may change while the process runs (a rotated file); ask for it at every use. */
export interface SecretSource {
  current(): Secret
}
