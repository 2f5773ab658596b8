/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** RFC 9110 §5.5. What it leaves out, a line break or a NUL, the next reader may take for the end of the header. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** Whether this is a header that all readers see in the same bounds. @param value as Latin-1. */
export function isField(name: string, value: string): boolean {
  return TOKEN.test(name) && FIELD_VALUE.test(value)
}
