// Loaded before the program that bootstrap.mjs starts: when bootstrap dies without a word (SIGKILL),
// the program is asked to stop in the ordinary way, so that nothing is left running unseen.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();
