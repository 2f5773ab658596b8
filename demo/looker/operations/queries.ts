import { Readable } from 'node:stream'
import type { Access } from '../access.ts'
import { readBody } from '../body.ts'
import { invalid, notFound } from '../failure.ts'
import { type Call, type Operation, param, queryNumber } from '../operation.ts'
import { type Queries, queryDocument, readQuery } from '../queries.ts'
import type { QueryTask, QueryTasks } from '../query-tasks.ts'
import { StreamedAnswer } from '../result-format.ts'
import type { LookerUser } from '../users.ts'

// A query of one's own making needs explore; one that is saved already may come from a dashboard one may only look at.
const MAKE_QUERY = ['access_data', 'explore']
const RUN_QUERY = ['access_data']

export function queryOperations(access: Access, queries: Queries, tasks: QueryTasks): Operation[] {
  function taskDocument(task: QueryTask) {
    const complete = tasks.isComplete(task)
    return {
      can: {},
      id: task.id,
      query_id: task.queryId,
      query: queryDocument(queries.find(task.queryId)),
      generate_links: false,
      force_production: false,
      path_prefix: null,
      cache: true,
      server_table_calcs: false,
      cache_only: false,
      cache_key: null,
      status: complete ? 'complete' : 'running',
      source: null,
      runtime: complete ? 1 : null,
      rebuild_pdts: false,
      result_source: complete ? 'query' : null,
      look_id: null,
      dashboard_id: null,
      result_format: task.format,
    }
  }
  function visibleQuery(id: string, user: LookerUser) {
    const query = queries.find(id)
    if (!access.can(user, RUN_QUERY, query.definition.model)) throw notFound()
    return query
  }
  const findTask = (call: Call, user: LookerUser) => tasks.find(param(call, 'query_task_id'), user.id)

  return [
    {
      id: 'create_query',
      method: 'POST',
      path: '/queries',
      access: 'member',
      answer({ body }, { user }) {
        const definition = readQuery(body)
        if (!access.can(user, MAKE_QUERY, definition.model)) throw notFound()
        queries.explore(definition)
        return queryDocument(queries.save(definition))
      },
    },
    {
      id: 'query',
      method: 'GET',
      path: '/queries/:query_id',
      access: 'member',
      answer: (call, { user }) => queryDocument(visibleQuery(param(call, 'query_id'), user)),
    },
    {
      id: 'run_inline_query',
      method: 'POST',
      path: '/queries/run/:result_format',
      access: 'member',
      answer: (call, { user }) =>
        queries.run(user, readQuery(call.body), {
          permissions: MAKE_QUERY,
          format: param(call, 'result_format'),
          limit: queryNumber(call, 'limit'),
        }),
    },
    {
      id: 'run_query',
      method: 'GET',
      path: '/queries/:query_id/run/:result_format',
      access: 'member',
      answer: (call, { user }) =>
        queries.run(user, queries.find(param(call, 'query_id')).definition, {
          permissions: RUN_QUERY,
          format: param(call, 'result_format'),
          limit: queryNumber(call, 'limit'),
        }),
    },
    {
      id: 'create_query_task',
      method: 'POST',
      path: '/query_tasks',
      access: 'member',
      answer(call, { user }) {
        const body = readBody(call.body)
        const queryId = body.requiredText('query_id')
        const format = body.requiredText('result_format')
        body.check()
        if (format === 'inline_json') {
          throw invalid({ field: 'result_format', code: 'invalid_value', message: 'inline_json is not supported here' })
        }
        visibleQuery(queryId, user)
        return taskDocument(tasks.begin({ userId: user.id, queryId, format, limit: queryNumber(call, 'limit') }))
      },
    },
    {
      id: 'query_task',
      method: 'GET',
      path: '/query_tasks/:query_task_id',
      access: 'member',
      answer: (call, { user }) => taskDocument(findTask(call, user)),
    },
    {
      id: 'query_task_results',
      method: 'GET',
      path: '/query_tasks/:query_task_id/results',
      access: 'member',
      answer(call, { user }) {
        const task = findTask(call, user)
        if (!tasks.isComplete(task)) return new StreamedAnswer(202, 'text/plain; charset=utf-8', Readable.from(['']))
        const { format, limit, queryId } = task
        return queries.run(user, queries.find(queryId).definition, { permissions: RUN_QUERY, format, limit })
      },
    },
  ]
}
