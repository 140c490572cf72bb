import { expect, test } from 'vitest'
import { cannotBeWritten, parseMounts } from '../../../src/system/files/mounts.ts'

const mounts = parseMounts(`21 1 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/l
30 21 8:1 /maps/one /etc/hermes ro,relatime - ext4 /dev/sda1 rw
31 21 8:1 /maps/two /etc/with\\040blank ro,relatime - ext4 /dev/sda1 rw
32 21 8:1 /maps/two/inside /opt/data rw,relatime - ext4 /dev/sda1 rw
33 21 8:2 / /image rw,relatime - squashfs /dev/loop0 ro
34 21 8:1 /hosts /etc/hosts rw,relatime - ext4 /dev/sda1 rw
`)
const on = (id: string) => mounts.find((mount) => mount.id === id)

test.each([
  ['/etc/hermes', '30', true],
  ['/etc/hermes/..1/services.yaml', '30', true],
  ['/etc/with blank', '31', true],
  // It can be written by way of /opt/data.
  ['/etc/with blank/inside/file', '31', false],
  ['/image/file', '33', true],
  ['/etc', '21', false],
  ['/opt/data', '32', false],
])('%s: no user can write it: %s, %s', (path, id, expected) => {
  expect(cannotBeWritten(path, on(id), mounts)).toBe(expected)
})
