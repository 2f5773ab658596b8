/** A time left, for people. */
export function spell(seconds) {
  const minutes = Math.floor(seconds / 60)
  return `${minutes > 0 ? `${minutes} min ` : ''}${String(seconds % 60).padStart(minutes > 0 ? 2 : 1, '0')} s`
}

/** What went wrong, for people; `requestId` is what an administrator can find it by. */
export function inWords(error) {
  const { name, status, detail, requestId, message } = error
  if (name === 'SallyportError') {
    const said = status === 0 ? 'Sallyport cannot be reached. Is this machine online?' : detail
    return requestId === undefined ? said : `${said} Request ${requestId}.`
  }
  if (error instanceof TypeError) return 'Looker cannot be reached from this page.'
  return `Looker says: ${message}`
}
