import { expect, test } from 'vitest'
import { issuer, load, looker, problemsOf } from './file.ts'

test('replaces ${NAME} inside a string, as often as it stands there', () => {
  const { config } = load(
    { server: { publicUrl: 'https://${HOST}' }, looker: looker({ url: 'https://${TENANT}.${ZONE}' }) },
    { HOST: 'app.example.com', TENANT: 'company', ZONE: 'looker.example' },
  )
  expect(config.server.publicUrl).toBe('https://app.example.com')
  expect(config.looker.url).toBe('https://company.looker.example')
})

test('refuses a ${NAME} that is not set, and does not go on about what follows from it', () => {
  expect(problemsOf({ server: { publicUrl: '${NOT_SET}' }, log: { level: '${NOR_THIS}' } })).toEqual([
    'server.publicUrl: ${NOT_SET} is not set in the environment',
    'log.level: ${NOR_THIS} is not set in the environment',
  ])
})

test('finds the path of a ${NAME} deep in lists and blocks', () => {
  const grants = [
    { name: 'a', permissions: ['p'] },
    { name: 'b', permissions: ['p', '${NOT_SET}'], userAttributes: { region: 'x${NOR_THIS}' } },
  ]
  expect(problemsOf({ grants })).toEqual([
    'grants[1].permissions[1]: ${NOT_SET} is not set in the environment',
    'grants[1].userAttributes.region: ${NOR_THIS} is not set in the environment',
  ])
})

test('refuses shell tricks in ${…} without repeating what is in them', () => {
  const [line] = problemsOf({ server: { publicUrl: '${HOST:-https://hunter2.example.com}' } })
  expect(line).toMatch(/^server\.publicUrl: has a \$\{…\} without the name of an environment variable/)
  expect(line).not.toContain('hunter2')
})

test('does not replace again in what came from the environment', () => {
  const { config } = load({ issuers: [issuer({ audiences: ['${FIRST}'] })] }, { FIRST: '${SECOND}', SECOND: 'x' })
  expect(config.issuers[0]?.audiences).toEqual(['${SECOND}'])
})

test.each([
  ['server: [\nlooker: x\n', /^sallyport\.yaml: .* at line \d+, column \d+$/],
  ['log: { level: info }\nlog: { level: warn }\n', /^sallyport\.yaml: Map keys must be unique at line 2, column 1$/],
  ['looker: *shared\n', /^sallyport\.yaml: .*anchor.*shared/],
  ['log: {}\n---\nlog: {}\n', /^sallyport\.yaml: has more than one YAML document/],
  ['- a\n- b\n', /^configuration: has to be a block of keys$/],
  ['text', /^configuration: has to be a block of keys$/],
])('says in one line where the YAML is broken: %j', (text, message) => {
  const problems = problemsOf(text)
  expect(problems).toEqual([expect.stringMatching(message)])
  expect(problems[0]).not.toContain('\n')
})

test('ends aliases of aliases before they fill the memory', () => {
  const layers = Array.from({ length: 12 }, (_, index) =>
    index === 0
      ? 'l0: &l0 [x]'
      : `l${index}: &l${index} [${Array(10)
          .fill(`*l${index - 1}`)
          .join(', ')}]`,
  )
  expect(problemsOf(layers.join('\n'))).toEqual([expect.stringMatching(/^sallyport\.yaml: Excessive alias count/)])
})
