import { startAsking } from './ask.js'
import { startAudit } from './audit.js'
import { startNotes } from './notes.js'
import { startSession } from './session.js'
import { startToken } from './token.js'

const { prefix, user, permissions } = document.getElementById('desk').dataset

const session = startSession({ prefix, user })
const token = startToken({ prefix, session })
startAsking({ token, mayExplore: permissions.split(' ').includes('explore') })
startAudit({ session })
startNotes({ session, user })
