// Package endpoint names the two ends of a connection.
package endpoint
