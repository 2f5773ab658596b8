import { expect, test } from 'vitest'
import { parseStrictObject } from '../../src/identity/strict-json.ts'

test.for([
  '{}',
  '{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}],"d":"a"}',
  '{"a":["a","a",["a"]],"A":1," a":2}',
  '{"a":"\\"b\\":1,\\"b\\":2","b":"{\\"a\\":1}"}',
  '{"a\\\\":1,"a":2,"":3}',
  ' { "a" : [ ] , "b" : { } } ',
  '{"__proto__":1,"constructor":2}',
])('reads %s as JSON does', text => {
  expect(parseStrictObject(text)).toEqual(JSON.parse(text))
})

test.for([
  '{"a":1,"a":1}',
  '{"a":1,"\\u0061":2}',
  '{"":1,"":2}',
  '{"a":{"b":1,"b":2}}',
  '{"a":[[{"b":1,"c":{},"b":2}]]}',
  '{"a":[1,2],"b":{"c":3},"a":4}',
  '{"a\\"":1,"a\\u0022":2}',
  '{"__proto__":1,"__proto__":2}',
  '{"a" :1,\n"a"\t:2}',
])('refuses %s, which has a member twice', text => {
  expect(() => JSON.parse(text) as unknown).not.toThrow()
  expect(parseStrictObject(text)).toBeUndefined()
})

test.for(['', 'null', '[]', '"a"', '1', 'true', '{', '{"a":1', '{a:1}', "{'a':1}", '{"a":1}{"a":1}', '{"a":1,}'])(
  'refuses %s, which is no object',
  text => {
    expect(parseStrictObject(text)).toBeUndefined()
  },
)
