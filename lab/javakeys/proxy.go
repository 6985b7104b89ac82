package javakeys

import "net/url"

// ProxyOptions returns the options that make Java's sockets use a SOCKS5 proxy
// for all servers, those of this machine too; none if proxy is nil. Java sends
// the user's name and no password, which the proxy need not ask of the user's
// own programs. Channels (java.nio), such as HttpClient's and Netty's, know no
// such proxy.
func ProxyOptions(proxy *url.URL) []string {
	if proxy == nil {
		return nil
	}
	return []string{"-DsocksProxyHost=" + proxy.Hostname(), "-DsocksProxyPort=" + proxy.Port(), "-DsocksNonProxyHosts="}
}
