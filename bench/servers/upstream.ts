/** The app behind every contestant: 2 kB of JSON, at once. */
import { createServer } from 'node:http'

const body = Buffer.from(JSON.stringify({ rows: 'x'.repeat(2033) }))
const server = createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
})
server.listen(Number(process.env['PORT']), '127.0.0.1')
