/** Added to the OOM score of every slot: the kernel then takes a slot before init or the supervisor (proc(5)). */
export const OOM_SCORE = 500
