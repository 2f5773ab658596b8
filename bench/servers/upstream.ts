/** The app behind every contestant: 2 kB of JSON, at once; or a mebibyte. */
import { createServer } from 'node:http'

const page = Buffer.from(JSON.stringify({ rows: 'x'.repeat(2033) }))
const mebibyte = Buffer.alloc(2 ** 20, 'x')
const server = createServer((request, response) => {
  request.resume()
  const body = request.url === '/mebibyte' ? mebibyte : page
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
})
server.listen(Number(process.env['PORT']), '127.0.0.1')
