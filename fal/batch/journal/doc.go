// Package journal keeps the journal of a batch in a file, for one program at a time
// on one machine.
//
//	j, err := journal.Open("catalogue.batch")
//	if err != nil {
//		return err
//	}
//	defer j.Close()
//	run := &batch.Runner{Client: client, Journal: j}
//
// What was put is on the disk before Put returns, and survives a crash of the program
// and of the machine. Writers that come at the same time share one write to the disk.
// The file is one of bbolt; rows are in the order in which their keys were first
// put.
package journal
