import { expect, test } from 'vitest'
import { runCommand } from './process.ts'

test.each([['--help'], ['-h'], ['help'], ['serve', '--help'], ['migrate', 'oauth2-proxy', '--help']])(
  '%s names every command and the exit codes',
  async (...args) => {
    const { code, stdout, stderr } = await runCommand(args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const commands = ['serve --config', 'check --config', 'grants explain', 'rules explain', 'audit verify']
    for (const command of [...commands, 'migrate oauth2-proxy', 'version', 'help']) {
      expect(stdout).toContain(`sallyport ${command}`)
    }
    expect(stdout).toContain('SALLYPORT_CONFIG')
    expect(stdout).toMatch(/Exit codes: 0 .*2 .*1 /)
  },
)

test('says its version', async () => {
  const { code, stdout } = await runCommand(['version'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^sallyport \d+\.\d+\.\d+\n$/)
})

test.each([
  [[], 'identity-aware proxy'],
  [['server'], '"server" is not a command'],
  [['check', 'more', '--config', 'x'], '"check more" is not a command'],
  [['check', '--confg', 'x'], '--confg'],
  [['grants', 'explain', '--config', 'x'], 'say --claims FILE'],
])('a command line that it does not know is exit 1 and an explanation: %j', async (args, explanation) => {
  const { code, stdout, stderr } = await runCommand(args)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain(explanation)
  expect(stderr).not.toMatch(/^\s+at /m)
})
