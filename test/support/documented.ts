import { readFileSync } from 'node:fs'

/**
 * The blocks of code in a page of docs/, of one language, in their order: what is documented is what is tested.
 * @param heading where only those below it are wanted, up to the next of its kind.
 */
export function documentedCode(page: string, language: string, heading?: string): readonly string[] {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8')
  const sections = text
    .split(/^(?=## )/m)
    .filter(section => heading === undefined || section.startsWith(`## ${heading}\n`))
  const blocks = sections.join('').matchAll(/^```(\w+)[^\n]*\n(.*?)^```$/gms)
  return [...blocks].filter(([, named]) => named === language).map(([, , code = '']) => code)
}
