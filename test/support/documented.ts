import { readFileSync } from 'node:fs'

/** The blocks of code in a page of docs/, of one language, in their order: what is documented is what is tested. */
export function documentedCode(page: string, language: string): readonly string[] {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8')
  const blocks = text.matchAll(/^```(\w+)[^\n]*\n(.*?)^```$/gms)
  return [...blocks].filter(([, named]) => named === language).map(([, , code = '']) => code)
}
