/** Of the Looker that is emulated. */
export const RELEASE = '26.12.3'
