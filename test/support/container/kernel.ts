import { release } from 'node:os'

const [major = 0, minor = 0] = release().split('.').map(Number)

/**
 * This kernel tells how a process ended after it was waited for (PIDFD_INFO_EXIT, Linux 6.15), and so a death by a
 * real-time signal.
 */
export const tellsEnds = major > 6 || (major === 6 && minor >= 15)

/** Why tests of that are left out. */
export const whyNoEnds = tellsEnds ? undefined : `needs Linux 6.15, this is ${release()}`
