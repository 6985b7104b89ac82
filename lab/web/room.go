package web

import "mtlslab.example/lab/lab/room"

// ShowRoom shows who has called a server, in place of what was shown of it
// before. The page must have been made with [Options].Room. It does not wait
// for browsers.
func (p *Page) ShowRoom(v room.View) {
	p.room.Store(&v)
	p.exchanges.news()
}
