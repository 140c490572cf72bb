// Encryption of backups, for those that are encrypted.
export { Decrypter, Encrypter } from 'age-encryption'
