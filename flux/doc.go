// Package flux has a request type for each model of the FLUX family on fal.
// The types are plain values; send them with the functions of package fal.
package flux
