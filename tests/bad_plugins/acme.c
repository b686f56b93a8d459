/* What missing_library needs. */
__attribute__((visibility("default"))) int acme_tune(int note);
int acme_tune(int note) { return note; }
