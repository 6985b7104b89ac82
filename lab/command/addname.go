package command

import (
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

const addNameExamples = `lab certs add-name server 10.0.0.5
lab certs add-name server laptop.local 10.0.0.5
lab certs add-name client URI:spiffe://example.org/client`

func (p *Program) addNameCommand() *cli.Command {
	return &cli.Command{
		Name:         "add-name",
		Usage:        "add addresses and host names to a certificate",
		ArgsUsage:    "NAME ADDRESS|HOST...",
		Description:  addNameExamples,
		Flags:        []cli.Flag{dirFlag()},
		Action:       p.certsAddName,
		BashComplete: p.completeNames,
	}
}

func (p *Program) certsAddName(c *cli.Context) error {
	f := folderOf(c)
	if c.NArg() < 2 {
		return &usageError{command: commandName(c), problem: "lab certs add-name takes a NAME and what to add to it"}
	}
	name, sans := c.Args().First(), []string{}
	for _, typed := range c.Args().Tail() {
		san, err := certgen.SAN(typed)
		if err != nil {
			return err
		}
		sans = append(sans, san)
	}
	if err := p.checkNameable(f, name, c.Args().Tail()); err != nil {
		return err
	}
	if _, err := p.adoptManifest(f, certgen.Options{}); err != nil {
		return err
	}
	data, err := os.ReadFile(f.manifest())
	if err != nil {
		return err
	}
	edited, added, err := certgen.AddSANs(f.manifest(), data, name, sans)
	if err != nil {
		return err
	}
	if len(added) == 0 {
		p.say("%s has %s already", name, strings.Join(sans, ", "))
		return p.preparePKI(c.Context, f, false)
	}
	if err := f.rewriteManifest(data, edited); err != nil {
		return err
	}
	p.printChange(f.manifest(), string(data), string(edited))
	return p.preparePKI(c.Context, f, false)
}

// checkNameable refuses to give names to a CA: nobody calls it, and it would be
// made anew, with all that it issued.
func (p *Program) checkNameable(f folder, name string, typed []string) error {
	m, _, err := p.readManifest(f)
	if err != nil {
		return err
	}
	if certificate := m.Find(name); certificate == nil || !certificate.CA {
		return nil
	}
	e := &caNameError{name: name, typed: typed}
	for _, c := range m.Certificates {
		if !c.CA && sideOf(c) == endpoint.Server {
			e.servers = append(e.servers, c.Name)
		}
	}
	return e
}

// caNameError reports a CA that was to have the name of a server.
type caNameError struct {
	name    string
	typed   []string // that were to be added
	servers []string // that take names
}

func (e *caNameError) Error() string {
	return e.name + " is a CA, which nobody calls: names belong to the certificate of a server"
}

func (e *caNameError) hint() string {
	switch len(e.servers) {
	case 0:
		return "there is no certificate of a server in certs.yaml; one that signs itself is a CA unless it has ca: false"
	case 1:
		return "lab certs add-name " + commandWord(e.servers[0]) + " " + strings.Join(e.typed, " ")
	}
	return "those of servers are " + text.Few(e.servers, fewNames) + "; lab certs list shows all"
}

// printChange shows where two texts differ: the line before, and what is new.
func (p *Program) printChange(file, before, after string) {
	was, now := strings.Split(before, "\n"), strings.Split(after, "\n")
	first := 0
	for first < len(was) && first < len(now) && was[first] == now[first] {
		first++
	}
	end, wasEnd := len(now), len(was)
	for end > first && wasEnd > first && now[end-1] == was[wasEnd-1] {
		end, wasEnd = end-1, wasEnd-1
	}
	out := p.stdout()
	out.Line(file)
	line := func(number int, mark, text string) {
		out.Line(fmt.Sprintf("%5d %s ", number+1, mark), strings.TrimSuffix(text, "\r"))
	}
	for i := max(first-2, 0); i < first; i++ {
		line(i, " ", now[i])
	}
	for i := first; i < wasEnd; i++ {
		line(i, "-", was[i])
	}
	for i := first; i < end; i++ {
		line(i, "+", now[i])
	}
}

// sayAddName prints the command that adds names, with blanks between them, to a
// certificate.
func (p *Program) sayAddName(f folder, certificate, names string) {
	p.writeCommand("  " + addNameTo(f, certificate, names))
}

func addNameTo(f folder, certificate, names string) string {
	command := "lab certs add-name " + commandWord(certificate) + " " + names
	if f != "." {
		command += " --dir " + commandWord(string(f))
	}
	return command
}

// ownAddresses are the addresses by which other machines can reach this one,
// IPv4 first.
func ownAddresses() []string {
	var v4, v6 []string
	interfaces, _ := net.Interfaces() // without them there are none to name
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addresses, _ := i.Addrs()
		for _, address := range addresses {
			network, ok := address.(*net.IPNet)
			switch {
			case !ok || !network.IP.IsGlobalUnicast():
			case network.IP.To4() != nil:
				v4 = append(v4, network.IP.String())
			default:
				v6 = append(v6, network.IP.String())
			}
		}
	}
	return append(v4, v6...)
}
