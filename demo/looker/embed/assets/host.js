/** The talk with the page around the iframe, in the words of the Embed SDK. */

// The SDK's two enumerations: what this side says, and what it hears.
const SAY = { hello: 0, ready: 1, message: 2, response: 4, error: 5 }
const HEAR = { accepted: 0, message: 1, request: 2 }

/** @param origin of the page around this one; without one nobody is spoken to */
export function greetHost(origin) {
  const { port1: port, port2 } = new MessageChannel()
  const { promise: accepted, resolve: accept } = Promise.withResolvers()
  const handlers = new Map()
  const say = (action, data) => port.postMessage({ action, data })

  async function answer({ eventName, payload, sequence }, isRequest) {
    const handler = handlers.get(eventName)
    try {
      // The SDK's own client answers with what each handler came to: nothing when there is none.
      const results = handler === undefined ? [] : [await handler(...payload)]
      if (isRequest) say(SAY.response, { eventName, payload: results, sequence })
    } catch (error) {
      if (!isRequest) throw error
      say(SAY.error, { eventName, payload: error.message, sequence })
    }
  }
  port.addEventListener('message', ({ data: { action, data } }) => {
    if (action === HEAR.accepted) {
      say(SAY.ready, {})
      accept()
    } else if (action === HEAR.message || action === HEAR.request) {
      void answer(data, action === HEAR.request)
    }
  })
  port.start()
  if (origin !== undefined) parent.postMessage({ action: SAY.hello }, origin, [port2])

  return {
    on: (eventName, handler) => handlers.set(eventName, handler),
    /** Waits its turn until the host has accepted. */
    async tell(eventName, details = {}) {
      await accepted
      say(SAY.message, { eventName, payload: [{ type: eventName, ...details }] })
    },
  }
}
