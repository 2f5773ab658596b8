import { expect } from 'vitest'

/** Holds an answer to section 7 of the contract: its type, its members and no others. Gives its detail and its kind. */
export async function expectProblem(
  response: Response,
  status: number,
  kind: string,
): Promise<{ detail: string; instance: string }> {
  const text = await response.text()
  expect({ status: response.status, type: response.headers.get('content-type'), text }).toMatchObject({
    status,
    type: 'application/problem+json',
  })
  const document = JSON.parse(text) as Record<string, unknown>
  expect(document).toEqual({
    type: `urn:sallyport:problem:${kind}`,
    title: expect.stringMatching(/\S/),
    status,
    detail: expect.stringMatching(/\S/),
    instance: expect.stringMatching(/^[\w-]{8,64}$/),
  })
  expectNothingInternal(text)
  return { detail: String(document['detail']), instance: String(document['instance']) }
}

/** No address, no stack, no path of a file, no name of a system error. */
export function expectNothingInternal(text: string): void {
  expect(text).not.toMatch(
    /\d+\.\d+\.\d+\.\d+|localhost|:\d{4,5}\b|\bat .*\.[jt]s|node_modules|ECONN|UND_ERR|FST_ERR|undici/,
  )
}
