// The descriptors that a worker's process, or the zygote's, begins with, besides the standard ones.

// In slots 0 to 2 libuv would make the shared socket blocking, and one idle worker would freeze.
export const LISTENER_SLOT = 3;
export const CHANNEL_SLOT = 4;
export const DESCRIPTORS_SLOT = 5; // a worker's connections; the zygote's: what a worker is to be forked with
