package faltest

// UploadBytes is how much all uploads take at most.
var UploadBytes = &uploadBytes
