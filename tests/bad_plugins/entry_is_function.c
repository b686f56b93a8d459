/* Exports the name, but not the data. */
__attribute__((visibility("default"))) int sluice_entry(void);
int sluice_entry(void) { return 0; }
