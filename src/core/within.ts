/** What comes of the work, or what there is instead when it takes longer. */
export function within<T>(milliseconds: number, work: Promise<T>, instead: T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(instead), milliseconds)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
