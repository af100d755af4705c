package main

// Files is what the command would write.
var Files = files
