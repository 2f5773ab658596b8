import { notFound } from './failure.ts'
import { createSecretToken } from './secret-token.ts'

// Long enough for a caller to see a task at work, short enough for nobody to mind.
const RUNNING_MILLISECONDS = 1000
const KEPT_MILLISECONDS = 3_600_000

export interface QueryTask {
  readonly id: string
  readonly userId: string
  readonly queryId: string
  readonly format: string
  readonly limit: number | undefined
  readonly createdAt: number
}

export function createQueryTasks(now: () => number) {
  const tasks = new Map<string, QueryTask>()
  return {
    begin(task: Omit<QueryTask, 'id' | 'createdAt'>): QueryTask {
      const begun = { ...task, id: createSecretToken(), createdAt: now() }
      tasks.set(begun.id, begun)
      return begun
    },
    /** A task is its maker's alone, and its results are not kept for ever. */
    find(id: string, userId: string): QueryTask {
      const task = tasks.get(id)
      if (task === undefined || task.userId !== userId || now() - task.createdAt > KEPT_MILLISECONDS) throw notFound()
      return task
    },
    isComplete: (task: QueryTask): boolean => now() - task.createdAt >= RUNNING_MILLISECONDS,
  }
}

export type QueryTasks = ReturnType<typeof createQueryTasks>
