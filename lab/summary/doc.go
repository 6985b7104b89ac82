// Package summary says of many connections who refuses whom, why, how often and
// since when. A Summary takes as much memory for a billion connections as for a
// thousand. Those of several captures can be added up, in any order.
package summary
