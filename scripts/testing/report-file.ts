/** Variable that names the file of vitest's report for `npm test`, as JSON. */
export const REPORT_FILE = 'HERMES_TEST_REPORT'
