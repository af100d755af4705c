// Package riverbatch does a batch.
package riverbatch
