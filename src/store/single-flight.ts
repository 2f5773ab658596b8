/** Callers that want the same thing at the same time share one run of the work. Nothing is kept once it is done. */
export function createSingleFlight<T>(): (key: string, work: () => Promise<T>) => Promise<T> {
  const flights = new Map<string, Promise<T>>()
  return (key, work) => {
    const flying = flights.get(key)
    if (flying !== undefined) return flying
    const flight = work()
    flights.set(key, flight)
    const landed = (): void => void flights.delete(key)
    flight.then(landed, landed)
    return flight
  }
}
